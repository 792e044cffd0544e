// What each of these leaks on its own, in one process: every leak is told, in its own place.
import { als_interval, closure_chain, list_head, list_tail } from './chain.mjs';
import { dict_uuid, plain_uuid, text_uuid } from './dict.mjs';
import { base64url, map64 } from './keys.mjs';
import { run as profile } from './pre.mjs';
const all = [list_head, list_tail, als_interval, closure_chain, plain_uuid, dict_uuid, text_uuid, base64url, map64, profile];
export function run() { for (const leak of all) leak(); }
