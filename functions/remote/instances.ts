/** Managed instances by their ids. */
import {
  DescribeInstanceInformationCommand,
  type InstanceInformation,
  type SSMClient,
} from '@aws-sdk/client-ssm'
import { reading } from './reading.ts'

/** Ids of one filter; the most that a page has, too. */
const AT_ONCE = 50
/** A page may be short, or empty, with more behind it. */
const MAX_PAGES = 100

/** Those of `ids` that the service knows. @throws Problem remote-unavailable */
export async function described(
  client: SSMClient,
  ids: readonly string[],
): Promise<readonly InstanceInformation[]> {
  const found: InstanceInformation[] = []
  for (let at = 0; at < ids.length; at += AT_ONCE)
    found.push(...(await reading(() => allPages(client, ids.slice(at, at + AT_ONCE)))))
  return found
}

async function allPages(client: SSMClient, Values: string[]): Promise<InstanceInformation[]> {
  const found: InstanceInformation[] = []
  let NextToken: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await client.send(
      new DescribeInstanceInformationCommand({
        Filters: [{ Key: 'InstanceIds', Values }],
        MaxResults: AT_ONCE,
        ...(NextToken === undefined ? {} : { NextToken }),
      }),
    )
    found.push(...(answer.InstanceInformationList ?? []))
    NextToken = answer.NextToken
    if (NextToken === undefined) return found
  }
  throw new RangeError(`more than ${MAX_PAGES} pages of ${Values.length} instances`)
}
