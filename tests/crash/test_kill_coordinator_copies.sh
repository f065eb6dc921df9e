#!/usr/bin/env bash
kills=10
[ -z "${KATYDID_TEST_LONG:-}" ] || kills=200
exec "$(dirname "${BASH_SOURCE[0]}")/kill_loop.sh" coordinator copies $kills
