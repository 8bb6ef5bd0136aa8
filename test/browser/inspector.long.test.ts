// The inspector's page in Firefox: LONG=1 picks it.
import './inspector.test.js';
