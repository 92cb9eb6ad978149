"""nginx, tuned, as the measure of a static file server."""

import os
import resource
import signal
import socket
import subprocess
from pathlib import Path

from measure import free_ports, pinned, process_tree
from offprint import wait_until

BROTLI = "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so"
PROGRAMS = {"nginx": "nginx", BROTLI: "libnginx-mod-http-brotli-static"}

# Descriptors of a worker. Even root may not always raise the limit that it was given.
FILES_MAX = min(65_536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])

# One configuration for every scenario: nobody changes a server's settings between two requests.
#
# open_file_cache keeps descriptors, sizes and absences, checked again after a minute, which is far later than
# the half second after which Offprint sees any change: the comparison favours nginx here.
#
# Without sendfile a file of 1 KB would cost nginx 15 % less and one of 43 KB 70 % more, and without tcp_nopush
# either costs more; it has no setting that depends on the size.
#
# The sites of the virtual hosts are directories below one server block. It is the cheapest way nginx has to
# serve thousands of them, and what its users do: a block for each would cost 21 KB of memory and a slower
# start. It cannot say which of the sites exist, and none can have rules of its own, as Offprint's can.
CONFIGURATION = """
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
{user}
pid {home}/nginx.pid;
error_log {home}/error.log warn;
load_module {brotli};

events {{
    use epoll;
    worker_connections 4096;
    multi_accept on;
    accept_mutex off;
}}

http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    access_log off;
    log_not_found off;
    etag on;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    open_file_cache max={cached} inactive=600s;
    open_file_cache_valid 60s;
    open_file_cache_min_uses 1;
    open_file_cache_errors on;
    gzip off;
    gzip_static on;
    gzip_vary on;
    brotli_static on;
    http2_max_concurrent_streams 256;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:10m;

    server {{
        listen 127.0.0.1:{plain} backlog=4096;
        listen 127.0.0.1:{h2c} http2 backlog=4096;
        listen 127.0.0.1:{tls} ssl http2 backlog=4096;
        server_name _;
        root {site};
        index index.html;
        error_page 404 /404.html;
    }}

    server {{
        listen 127.0.0.1:{vhosts} backlog=4096;
        server_name ~.;
        root {vhosts_root}/$host;
        index index.html;
    }}
}}
"""


class Nginx:
    """A running nginx, pinned to a core. `ports` has the doors plain, h2c, tls and vhosts."""

    def __init__(self, name, home, core, site, vhosts_root, certificate, key):
        self.name, self.home = name, Path(home)
        self.home.mkdir()
        self.ports = dict(zip(("plain", "h2c", "tls", "vhosts"), free_ports(4)))
        text = CONFIGURATION.format(
            files=FILES_MAX,
            # Sites, their variants and the pages of the virtual hosts are 15,000 files, and should all stay open.
            cached=40_000,
            user="user root;" if os.geteuid() == 0 else "",
            brotli=BROTLI,
            home=self.home,
            site=site,
            vhosts_root=vhosts_root,
            certificate=certificate,
            key=key,
            **self.ports,
        )
        configuration = self.home / "nginx.conf"
        configuration.write_text(text)
        command = [*pinned(core), "nginx", "-p", self.home, "-c", configuration, "-e", self.home / "error.log"]
        self.process = subprocess.Popen(command)
        try:
            if not wait_until(self._answers):
                raise RuntimeError(f"nginx did not start: {self.said()}")
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"nginx ended: {self.said()}")
        try:
            socket.create_connection(("127.0.0.1", self.ports["plain"]), timeout=1).close()
        except OSError:
            return False
        return len(self.pids()) > 1

    def pids(self, _door="plain"):
        """The master and its worker."""
        return process_tree(self.process.pid)

    def port(self, door):
        return self.ports[door]

    def said(self, _door="plain"):
        """The last lines of its log."""
        return (self.home / "error.log").read_text()[-500:]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=30)
