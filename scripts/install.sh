#!/usr/bin/env bash
# Puts the built extension into PostgreSQL's own folders, and only what differs from what is there.
# usage: scripts/install.sh      (after `make all`; PG_CONFIG chooses the PostgreSQL)
#
# Invariants: needs root only when something changed. A file is replaced by a new one, never overwritten in place,
# so a server that has the old library loaded keeps running on it until it is restarted.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

pg_config=$(find_pg_config)
stage=$BUILD/stage
rm -rf "$stage"
make -s -C "$REPO/extension" install DESTDIR="$stage" PG_CONFIG="$pg_config" >/dev/null ||
    die "the extension could not be staged for installation. 'make -C extension install DESTDIR=...' says why."

changed=()
while IFS= read -r file; do
    target=/${file#"$stage"/}
    cmp -s "$file" "$target" || changed+=("$target")
done < <(find "$stage" -type f | sort)

[ ${#changed[@]} -gt 0 ] || exit 0
say "install: ${#changed[@]} file(s) of the extension into $("$pg_config" --pkglibdir) and $("$pg_config" --sharedir)/extension"
sudo=$(root_prefix "Installing the extension into $("$pg_config" --pkglibdir)")
for target in "${changed[@]}"; do
    mode=644
    case $target in *.so) mode=755 ;; esac
    $sudo install -D -m "$mode" "$stage$target" "$target"
done
