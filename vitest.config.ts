import { defineConfig } from 'vitest/config'

const suite = (name: string, timeoutMs: number, fileParallelism: boolean) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    fileParallelism,
  },
})

/** Each file has a stack with a network, a home and a kernel of its own. */
const E2E = suite('e2e', 300_000, true)

/** One project a suite; `unit` also holds the architecture test. */
export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/architecture.test.ts'],
          testTimeout: 20_000,
        },
      },
      suite('integration', 60_000, true),
      suite('kernel', 180_000, false),
      suite('differential', 300_000, false),
      suite('drivers', 180_000, false),
      { ...E2E, test: { ...E2E.test, globalSetup: ['test/support/kernel-setup.ts'] } },
      suite('long', 3_600_000, false),
    ],
  },
})
