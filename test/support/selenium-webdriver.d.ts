// The part of selenium-webdriver that the tests call; the package has no types of its own.

declare module 'selenium-webdriver' {
  export class Capabilities {
    constructor(capabilities: Record<string, unknown>);
    get(name: string): unknown;
  }
  export interface WebDriver {
    get(url: string): Promise<void>;
    executeAsyncScript<T>(script: string): Promise<T>;
    getCapabilities(): Promise<Capabilities>;
    navigate(): { refresh(): Promise<void>; back(): Promise<void> };
    manage(): { setTimeouts(timeouts: { script?: number; pageLoad?: number }): Promise<void> };
    quit(): Promise<void>;
  }
  export class Builder {
    usingServer(url: string): this;
    withCapabilities(capabilities: Capabilities): this;
    build(): Promise<WebDriver>;
  }
}
