/**
 * Membership voting
 *
 * Participants vote to add and remove participants. A vote passes with a strict majority of the
 * participants that are active when the deciding vote is applied; votes of participants that were
 * removed meanwhile do not count.
 */

import assert from 'assert'
import { index, listOplogs, isWriter } from 'contract'

const ACTIONS = ['add', 'remove']

// methods
// =

export async function members () {
  const oplogs = await listOplogs()
  return oplogs.filter(oplog => oplog.active).map(oplog => oplog.pubkey)
}

export async function votes () {
  const open = []
  for (const action of ACTIONS) {
    for (const entry of await index.list(`/votes/${action}`)) {
      open.push({ action, pubkey: entry.name, voters: entry.value })
    }
  }
  return open
}

export async function vote ({ action, pubkey }, emit) {
  checkVote(action, pubkey)
  assert(await isWriter(), 'only participants vote')
  emit({ op: 'VOTE', action, pubkey })
}

// transaction handler
// =

export const apply = {
  async VOTE (tx, op, ack) {
    checkVote(op.action, op.pubkey)
    const active = await members()
    assert(active.includes(ack.origin), 'only participants vote')
    const isMember = active.includes(op.pubkey)
    assert(isMember === (op.action === 'remove'), isMember ? 'is a participant already' : 'is no participant')

    const path = `/votes/${op.action}/${op.pubkey}`
    const cast = (await index.get(path))?.value ?? []
    const voters = new Set(cast.filter(voter => active.includes(voter)))
    voters.add(ack.origin)

    if (voters.size * 2 <= active.length) {
      tx.put(path, [...voters])
      return
    }
    assert(op.action === 'add' || active.length > 1, 'the last participant stays')
    tx.delete(path)
    if (op.action === 'add') tx.addOplog({ pubkey: op.pubkey })
    else tx.removeOplog({ pubkey: op.pubkey })
  }
}

function checkVote (action, pubkey) {
  assert(ACTIONS.includes(action), `action is one of ${ACTIONS.join(', ')}`)
  assert.match(pubkey, /^[0-9a-f]{64}$/, 'pubkey is 64 hex digits')
}
