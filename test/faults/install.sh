#!/usr/bin/env bash
# Installs what the faults, the alert rules and test:host need beyond Node.js, from Debian's packages. Run it again as often as you like.
set -euo pipefail

# program:package
wanted=(pgbouncer:pgbouncer patroni:patroni etcd:etcd-server haproxy:haproxy nft:nftables ip:iproute2 faketime:faketime
  nginx:nginx caddy:caddy openssl:openssl
  /usr/lib/postgresql/15/bin/postgres:postgresql-15 promtool:prometheus systemd-analyze:systemd)

missing=()
for entry in "${wanted[@]}"; do
  program=${entry%%:*}
  PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || missing+=("${entry##*:}")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "all that is needed is there"
  exit 0
fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "missing: ${missing[*]} (this script installs Debian's packages, as root)" >&2
  exit 1
fi

# The packages would start servers of their own on their usual ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod +x $policy
  trap 'rm -f $policy' EXIT
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
