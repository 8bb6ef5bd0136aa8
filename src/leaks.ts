// The public entry pagepool/leaks: importing it lets this realm's threads follow what they hold, by the option `leaks`.

import { loadLeaks } from './pool/loaded-leaks.js';
import { trackPort } from './pool/track-port.js';

loadLeaks(trackPort);
