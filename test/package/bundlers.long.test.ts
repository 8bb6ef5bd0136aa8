// The bundlers that bundlers.test.ts leaves out: LONG=1 picks them.
import './bundlers.test.js';
