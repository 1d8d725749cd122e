/** Hosts are the managed instances of Systems Manager. */
import {
  DescribeInstanceInformationCommand,
  type InstanceInformation,
  type SSMClient,
} from '@aws-sdk/client-ssm'
import type { HostFacts, Hosts } from '../domain/remote.ts'
import { described } from './instances.ts'
import { reading } from './reading.ts'

/** The service takes 5 to 50. */
const MIN_PAGE = 5
const MAX_PAGE = 50

const PING_STATUSES: Readonly<Record<string, HostFacts['pingStatus']>> = {
  Online: 'Online',
  Inactive: 'Inactive',
}

export function ssmHosts(client: SSMClient): Hosts {
  return {
    page: async (limit, token) => {
      const answer = await reading(() =>
        client.send(
          new DescribeInstanceInformationCommand({
            MaxResults: Math.min(MAX_PAGE, Math.max(MIN_PAGE, limit)),
            ...(token === undefined ? {} : { NextToken: token }),
          }),
        ),
      )
      return {
        items: (answer.InstanceInformationList ?? []).map(factsOf),
        nextToken: answer.NextToken ?? null,
      }
    },
    some: async ids => (await described(client, ids)).map(factsOf),
  }
}

function factsOf(info: InstanceInformation): HostFacts {
  const { PingStatus, PlatformName = '', PlatformVersion = '' } = info
  return {
    id: info.InstanceId ?? '',
    name: info.Name ?? info.ComputerName ?? info.InstanceId ?? '',
    address: info.IPAddress ?? '',
    pingStatus: PING_STATUSES[PingStatus ?? ''] ?? 'ConnectionLost',
    platform: `${PlatformName} ${PlatformVersion}`.trim(),
    tags: {},
  }
}
