#!/usr/bin/env bash
kills=6
[ -z "${KATYDID_TEST_LONG:-}" ] || kills=50
exec "$(dirname "${BASH_SOURCE[0]}")/kill_loop.sh" rank command $kills
