/** Questions to Systems Manager: whatever keeps one from its answer has one code. */
import { Problem } from '../domain/problem.ts'

/** @throws Problem remote-unavailable */
export async function reading<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const name = error instanceof Error ? error.name : 'unknown error'
    throw Object.assign(
      new Problem('remote-unavailable', `Systems Manager does not answer: ${name}`),
      { cause: error },
    )
  }
}
