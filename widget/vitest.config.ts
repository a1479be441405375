import {defineConfig} from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'jsdom',
    include: ['tests/**/*.test.ts'],
    // The builds that some tests make take seconds on a busy machine.
    testTimeout: 60_000,
  },
});
