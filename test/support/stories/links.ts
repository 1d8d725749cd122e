/** Passwords and OB clusters that are linked. */
import { ASKED, type ScriptedPlane } from '../scripted-plane.ts'
import { configured, type Stories, wayBack } from './story.ts'

const TO_LINK = { isDefault: false }

/** Two clusters with one OB cluster. */
async function linkedTwice(all: ScriptedPlane): Promise<void> {
  await all.running('c', [1])
  await all.running('d', [2])
}

const asRotation = (all: ScriptedPlane, secret?: string) =>
  all.plane.obClusters.rotateProxyro(ASKED, 'ob', secret)

const rotateProxyro = (all: ScriptedPlane) => all.accepted(asRotation(all))

const asLink = (all: ScriptedPlane) => all.plane.clusters.link(ASKED, 'c', 'ob2', TO_LINK)

const link = (all: ScriptedPlane) => all.accepted(asLink(all))

/** The OB cluster is linked before. */
async function asUnlink(all: ScriptedPlane) {
  await all.ended(await link(all))
  return all.plane.clusters.unlink(ASKED, 'c', 'ob2')
}

export const STORIES_OF_LINKS: Stories = {
  'replace the password of root@proxysys': {
    begin: async all => {
      await all.running('c', [1, 2])
      return all.accepted(all.plane.clusters.rotateSysPassword(ASKED, 'c', undefined))
    },
  },
  'replace the password of proxyro': {
    begin: async all => {
      await linkedTwice(all)
      return rotateProxyro(all)
    },
  },
  'replace the password of proxyro that the OB cluster keeps': {
    begin: async all => {
      await linkedTwice(all)
      all.fleet.unalterable.add('ob')
      return rotateProxyro(all)
    },
    ends: 'ROLLED_BACK',
  },
  'replace the password of proxyro that a node does not settle': {
    begin: async all => {
      await linkedTwice(all)
      all.fleet.host(2).failing.add('refresh/settle')
      return rotateProxyro(all)
    },
    ends: 'ROLLED_BACK',
  },
  'the way back of a password of proxyro': {
    begin: async all => {
      await linkedTwice(all)
      return wayBack(all, asRotation(all, '/mine'))
    },
    ends: 'ROLLED_BACK',
  },
  'create in work mode CONFIG_URL': {
    begin: async all => {
      await all.prepare()
      const input = all.input('c', [1, 2], { workMode: 'CONFIG_URL' })
      return all.accepted(all.plane.clusters.create(ASKED, input))
    },
  },
  'delete in work mode CONFIG_URL': {
    begin: async all => {
      await configured(all)
      const { revision } = await all.plane.clusters.get('c')
      const asked = { confirm: 'c', revision, skipHostWork: false }
      return all.accepted(all.plane.clusters.remove(ASKED, 'c', asked))
    },
  },
  'add a link': {
    begin: async all => {
      await configured(all)
      return link(all)
    },
  },
  'add a link that proxyro is not let in by': {
    begin: async all => {
      await configured(all)
      all.fleet.proxyro.set('ob2', '/another')
      return link(all)
    },
    ends: 'ROLLED_BACK',
  },
  'add a link that the second node does not take': {
    begin: async all => {
      await configured(all)
      all.fleet.host(2).refuses.add('link=ob2')
      return link(all)
    },
    ends: 'ROLLED_BACK',
  },
  'the way back of a link that was added': {
    begin: async all => {
      await configured(all)
      return wayBack(all, asLink(all))
    },
    ends: 'ROLLED_BACK',
  },
  'delete a link': {
    begin: async all => {
      await configured(all)
      return all.accepted(asUnlink(all))
    },
  },
  'the way back of a link that was deleted': {
    begin: async all => {
      await configured(all)
      return wayBack(all, asUnlink(all))
    },
    ends: 'ROLLED_BACK',
  },
  'the way back of a password of root@proxysys': {
    begin: async all => {
      await all.running('c', [1, 2])
      await all.ended(await all.accepted(all.plane.clusters.rotateSysPassword(ASKED, 'c', '/a')))
      return wayBack(all, all.plane.clusters.rotateSysPassword(ASKED, 'c', '/b'))
    },
    ends: 'ROLLED_BACK',
  },
}
