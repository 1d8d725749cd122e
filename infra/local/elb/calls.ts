/** What the local Elastic Load Balancing answers: members of its one target group. */
import { answerXml, ElbError, targetsIn, VERSION, type Xml } from './query.ts'
import type { Member, Registry } from './registry.ts'

type Call = (form: URLSearchParams, registry: Registry) => Xml

const REASONS: Readonly<Record<string, readonly [code: string, text: string]>> = {
  initial: ['Elb.RegistrationInProgress', 'Target registration is in progress'],
  unhealthy: ['Target.FailedHealthChecks', 'Health checks failed'],
  draining: ['Target.DeregistrationInProgress', 'Target deregistration is in progress'],
  unused: ['Target.NotRegistered', 'Target is not registered to the target group'],
}

const CALLS: Readonly<Record<string, Call>> = {
  DescribeTargetHealth: (form, registry) => {
    const asked = targetsIn(form)
    const shown =
      asked.length === 0
        ? registry.members().map(descriptionOf)
        : asked.map(({ id, port = registry.group.port }) => {
            const member = registry.memberAt(id, port)
            return member === undefined ? described(id, port, 'unused') : descriptionOf(member)
          })
    return { TargetHealthDescriptions: shown }
  },
  RegisterTargets: (form, registry) => {
    registry.register(someTargets(form))
    return {}
  },
  DeregisterTargets: (form, registry) => {
    registry.deregister(someTargets(form))
    return {}
  },
}

/** The XML answer to a form. @throws ElbError */
export function answered(form: URLSearchParams, registry: Registry): string {
  const action = form.get('Action') ?? ''
  const call = Object.hasOwn(CALLS, action) ? CALLS[action] : undefined
  if (call === undefined || form.get('Version') !== VERSION)
    throw new ElbError('InvalidAction', `Could not find operation ${action}`)
  if (form.get('TargetGroupArn') !== registry.group.arn)
    throw new ElbError('TargetGroupNotFound', 'One or more target groups not found')
  return answerXml(action, call(form, registry))
}

function someTargets(form: URLSearchParams) {
  const targets = targetsIn(form)
  if (targets.length === 0)
    throw new ElbError('ValidationError', 'At least one target must be specified')
  return targets
}

function descriptionOf({ id, port, drainsUntil, health }: Member): Xml {
  return described(id, port, drainsUntil === null ? health : 'draining')
}

function described(Id: string, Port: number, State: string): Xml {
  const [Reason, Description] = REASONS[State] ?? []
  return {
    Target: { Id, Port },
    HealthCheckPort: String(Port),
    TargetHealth: { State, Reason, Description },
  }
}
