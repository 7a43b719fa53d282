#!/bin/sh
# Builds a Debian package from bin/ into dist/. Usage: deb.sh VERSION
set -eu
version=${1:?usage: deb.sh VERSION}
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
arch=$(dpkg --print-architecture)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

install -D -m 755 "$top/bin/pacelined" "$tree/usr/sbin/pacelined"
install -D -m 755 "$top/bin/paceline" "$tree/usr/sbin/paceline"
for agent in check diskmonitor filelease loadmonitor mount ping process vip; do # the native agents, for any OCF host
	install -d "$tree/usr/lib/ocf/resource.d/paceline"
	ln -s /usr/sbin/pacelined "$tree/usr/lib/ocf/resource.d/paceline/$agent"
	install -d "$tree/usr/share/man/man7"
	ln -s "$top/bin/pacelined" "$tree/$agent" # under its own name the program is that agent
	"$tree/$agent" manual | gzip -9n >"$tree/usr/share/man/man7/ocf_paceline_$agent.7.gz"
	rm "$tree/$agent"
done
install -D -m 644 "$here/pacelined.service" "$tree/lib/systemd/system/pacelined.service"
install -D -m 644 "$here/paceline.sysusers" "$tree/usr/lib/sysusers.d/paceline.conf"
install -D -m 644 "$here/paceline.tmpfiles" "$tree/usr/lib/tmpfiles.d/paceline.conf"
install -d "$tree/usr/share/man/man8" "$tree/usr/share/bash-completion/completions" "$tree/usr/share/zsh/vendor-completions" "$tree/usr/share/fish/vendor_completions.d"
gzip -9n <"$here/pacelined.8" >"$tree/usr/share/man/man8/pacelined.8.gz"
"$top/bin/paceline" __manual | gzip -9n >"$tree/usr/share/man/man8/paceline.8.gz"
"$top/bin/paceline" completion bash >"$tree/usr/share/bash-completion/completions/paceline"
"$top/bin/paceline" completion zsh >"$tree/usr/share/zsh/vendor-completions/_paceline"
"$top/bin/paceline" completion fish >"$tree/usr/share/fish/vendor_completions.d/paceline.fish"
install -D -m 644 "$top/LICENSE" "$tree/usr/share/doc/paceline/copyright"
install -d -m 700 "$tree/etc/paceline" "$tree/var/lib/paceline"

install -d "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<CONTROL
Package: paceline
Version: $version
Architecture: $arch
Maintainer: paceline maintainers <maintainers@paceline.invalid>
Section: admin
Priority: optional
Installed-Size: $(du -sk "$tree" | cut -f1)
Recommends: resource-agents, fence-agents
Description: high-availability cluster manager
 Keeps services running when machines die: one daemon on every node and one
 command line do the work of a messaging layer, a resource manager, fencing and
 a cluster shell. It runs OCF resource agents and fence agents as they are, and
 reads the configurations of Pacemaker.
CONTROL
cat >"$tree/DEBIAN/postinst" <<'SCRIPT'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
	if command -v systemd-sysusers >/dev/null; then systemd-sysusers paceline.conf || true; fi
	getent group haclient >/dev/null || groupadd --system haclient || true
	# An upgraded daemon quits at once, leaves its resources running, and the new one finds them again.
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload || true
		systemctl enable pacelined.service || true
		# (A restart would be a stop, which moves the resources away.)
		if systemctl is-active --quiet pacelined.service; then
			systemctl reload --no-block pacelined.service || true
		else
			systemctl start --no-block pacelined.service || true
		fi
	fi
fi
SCRIPT
cat >"$tree/DEBIAN/prerm" <<'SCRIPT'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl disable --now pacelined.service || true
fi
SCRIPT
chmod 755 "$tree/DEBIAN/postinst" "$tree/DEBIAN/prerm"

mkdir -p "$top/dist"
dpkg-deb --root-owner-group --build "$tree" "$top/dist/paceline_${version}_$arch.deb"
