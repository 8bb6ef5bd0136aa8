// The same with 300 kills for each browser.
import './kills.test.js';
