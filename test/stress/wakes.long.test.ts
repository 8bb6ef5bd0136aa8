// The soak of wake-ups with a hundred thousand entries and 60 deaths an engine.
import './wakes.test.js';
