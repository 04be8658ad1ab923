"""Contracts that tests of databases use."""

from __future__ import annotations

COUNTER = """\
import { index } from 'contract'
export async function get () {
  const entry = await index.get(`/counter`)
  return Number(entry?.value || 0)
}
export function increment (opts = {}, emit) {
  const amount = typeof opts?.amount === 'number' ? opts.amount : 1
  emit({op: 'INCREMENT', amount})
}
export const apply = {
  async INCREMENT (tx, op) {
    const current = await get()
    tx.put(`/counter`, current + op.amount)
  }
}
"""

MEMBERS = """\
import { index } from 'contract'
export function admit ({ key }, emit) { emit({ op: 'ADMIT', key }) }
export function dismiss ({ key }, emit) { emit({ op: 'DISMISS', key }) }
export function upgrade ({ code }, emit) { emit({ op: 'UPGRADE', code }) }
export function put ({ path, value }, emit) { emit({ op: 'PUT', path, value }) }
export function del ({ path }, emit) { emit({ op: 'DEL', path }) }
export function fail ({ text }, emit) { emit({ op: 'FAIL', text }) }
export function nothing (params, emit) { emit({ op: 'NOTHING' }) }
export function keep (params, emit) { emit({ op: 'KEEP' }) }
export async function read ({ path }) { return (await index.get(path))?.value }
export const apply = {
  ADMIT (tx, op) { tx.addOplog({ pubkey: op.key }) },
  DISMISS (tx, op) { tx.removeOplog({ pubkey: op.key }) },
  UPGRADE (tx, op) { tx.setContractSource({ code: op.code }) },
  PUT (tx, op) { tx.put(op.path, op.value) },
  DEL (tx, op) { tx.delete(op.path) },
  FAIL (tx, op) { tx.put('/never', 1); throw new Error(op.text) },
  NOTHING () {},
  KEEP (tx, op, ack) { tx.put(`/kept/${ack.seq}`, ack) }
}
"""
"""A contract that does anything it is told, for what the ledger must get right around it."""
