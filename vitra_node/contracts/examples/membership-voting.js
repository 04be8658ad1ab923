/**
 * Membership by vote
 *
 * The participants decide who takes part. A proposal to add or to remove an oplog passes when more
 * than half of the active participants have voted for it. Votes of those who are no participants
 * (any more) do not count.
 */

import { index } from 'contract'
import { equal, ok } from 'assert'

const ACTIONS = ['add', 'remove']

function check (action, pubkey) {
  ok(ACTIONS.includes(action), 'A vote is for add or remove')
  ok(/^[0-9a-f]{64}$/.test(pubkey), 'An oplog is named by its key, 64 hex digits')
}

const ballot = (action, pubkey) => `/votes/${action}/${pubkey}`

// database api
// =

export async function members () {
  const inputs = await index.list('/.sys/inputs')
  return inputs.filter((input) => input.value.active).map((input) => input.name)
}

export async function votes ({ action, pubkey }) {
  check(action, pubkey)
  const cast = await index.list(ballot(action, pubkey))
  return cast.map((vote) => vote.name)
}

export function vote ({ action, pubkey }, emit) {
  check(action, pubkey)
  emit({ op: 'VOTE', action, pubkey })
}

// transaction handlers
// =

export const apply = {
  async VOTE (tx, { action, pubkey }, ack) {
    check(action, pubkey)
    const active = await members()
    equal(active.includes(pubkey), action === 'remove', `There is nothing to ${action}`)

    const cast = await votes({ action, pubkey })
    const inFavour = new Set([...cast, ack.origin].filter((voter) => active.includes(voter)))
    if (inFavour.size * 2 <= active.length) {
      tx.put(`${ballot(action, pubkey)}/${ack.origin}`, true)
      return
    }
    for (const voter of cast) tx.delete(`${ballot(action, pubkey)}/${voter}`)
    if (action === 'add') tx.addOplog({ pubkey })
    else tx.removeOplog({ pubkey })
  }
}
