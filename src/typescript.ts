// The public entry pagepool/typescript: importing it gives `attach` of pagepool/attach the TypeScript engine.

import { loadTypeScript } from './engine/fallback.js';
import { createTypeScriptEngine } from './engine/typescript.js';

loadTypeScript(createTypeScriptEngine);
