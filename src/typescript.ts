// The public entry pagepool/typescript: importing it gives this realm the TypeScript engine.

import { loadTypeScript } from './engine/loaded.js';
import { createTypeScriptEngine } from './engine/typescript.js';

loadTypeScript(createTypeScriptEngine);
