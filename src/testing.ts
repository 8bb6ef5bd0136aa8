// The entry pagepool/testing: what a provider of one's own is tested with. Re-exports only.

export { type Churn, type ChurnReport, churn } from './testing/churn.js';
export { type ProviderTestHost, type ProviderTestOptions, testProvider } from './testing/test-provider.js';
