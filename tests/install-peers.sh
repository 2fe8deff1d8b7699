#!/usr/bin/env bash
# Installs the servers and tools that the tests run, from Debian, without letting a daemon start.
# Quick when all is there. Where it cannot install (no root, no apt-get), it says what is missing and
# ends well: the tests then say what they skipped.
set -euo pipefail

# program (or module, by its path)  package
needed=(
  nsd nsd
  knotd knot
  named bind9
  dnssec-signzone bind9-utils
  ldns-signzone ldnsutils
  unbound unbound
  kresd knot-resolver
  gdnsd gdnsd
  pdns_server pdns-server
  '/usr/lib/*/pdns/libbindbackend.so' pdns-backend-bind
  '/usr/lib/*/pdns/libgeoipbackend.so' pdns-backend-geoip
  '/usr/lib/*/knot/modules-*/geoip.so' knot-module-geoip
  dig bind9-dnsutils
  dnstap-read bind9-dnsutils
  fstrm_capture fstrm-bin
  zsh zsh
  fish fish
  groff groff
  nsupdate bind9-dnsutils
  kdig knot-dnsutils
  knsupdate knot-dnsutils
  dnsperf dnsperf
  systemd-analyze systemd
  systemd-socket-activate systemd
  strace strace
  faketime faketime
  curl curl
  python3 python3
  ip iproute2
  unshare util-linux
  valgrind valgrind
  setpriv util-linux
  chromium chromium
)
export PATH="$PATH:/usr/sbin:/sbin"

programs=() packages=()
for ((i = 0; i < ${#needed[@]}; i += 2)); do
  if ! command -v "${needed[i]}" >/dev/null && ! compgen -G "${needed[i]}" >/dev/null; then
    programs+=("${needed[i]}")
    packages+=("${needed[i + 1]}")
  fi
done
if [ ${#packages[@]} -eq 0 ]; then exit 0; fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing, and not installable here (needs root and apt-get): ${programs[*]}" >&2
  exit 0
fi

# Package scripts start daemons only when this file allows it: 101 is "forbidden". It is put back as it was.
policy=/usr/sbin/policy-rc.d
saved=$(mktemp -d)
if [ -e "$policy" ] || [ -L "$policy" ]; then cp -a "$policy" "$saved/policy"; fi
restore() {
  rm -f "$policy"
  if [ -e "$saved/policy" ] || [ -L "$saved/policy" ]; then cp -a "$saved/policy" "$policy"; fi
  rm -rf "$saved"
}
trap restore EXIT
rm -f "$policy"
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -qq --no-install-recommends "${packages[@]}" >"$saved/log" 2>&1; }
# The package lists may be absent or old.
if ! install; then
  apt-get update -qq
  install || { cat "$saved/log" >&2; exit 1; }
fi
echo "installed: ${packages[*]}" >&2
