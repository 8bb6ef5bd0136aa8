// The same with 300 kills in Chromium and in Firefox.
import './kills.test.js';
