"""GStreamer's RTSP server with test pictures, for the tests of ingest.

Usage: gst_server.py [--port N] [--user U --password P] [--certificate FILE --key FILE]
With a certificate it speaks TLS only.
Serves /h264, /h265, /mjpeg (320x180, 25 frames a second, a key frame each second), and /h264-aac, /h264-pcma, /pcmu-h264 with
sound, on a port of 127.0.0.1 (a free one unless told), prints `ready PORT`, and ends when its standard input closes. Needs Debian's own Python, whose bindings these are.
"""

import argparse
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtspServer  # noqa: E402

PICTURES = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=25/1,format=I420"
H264 = f"{PICTURES} ! x264enc tune=zerolatency key-int-max=25 bitrate=300 ! rtph264pay pt=96"
SOUND = "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1"
STREAMS = {
    "/h264": f"{H264} name=pay0",
    "/h264-aac": f"{H264} name=pay0 {SOUND} ! voaacenc ! rtpmp4gpay name=pay1 pt=97",
    "/h264-pcma": f"{H264} name=pay0 {SOUND} ! alawenc ! rtppcmapay name=pay1",
    "/pcmu-h264": f"{SOUND} ! mulawenc ! rtppcmupay name=pay0 {H264} name=pay1",
    "/mjpeg": f"{PICTURES} ! jpegenc ! rtpjpegpay name=pay0",
    "/h265": f"{PICTURES} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=300"
    " option-string=log-level=none ! rtph265pay name=pay0 pt=96 config-interval=-1",
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", default="0")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    args = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(args.port)
    if args.user:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(digest())
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_digest(args.user, args.password, token)
        if args.certificate:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(args.certificate, args.key))
        server.set_auth(auth)
    for path, launch in STREAMS.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(launch)
        # A pipeline for each client: a shared one that a client leaves while it starts may refuse all later ones.
        factory.set_shared(False)
        if args.user:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_permission_for_role("viewer", "media.factory.access", True)
            permissions.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(path, factory)
    server.attach(None)
    print(f"ready {server.get_bound_port()}", flush=True)
    loop = GLib.MainLoop()

    def until_closed():
        sys.stdin.read()
        loop.quit()

    threading.Thread(target=until_closed, daemon=True).start()
    loop.run()


def digest():
    gi.require_version("GstRtsp", "1.0")
    from gi.repository import GstRtsp

    return GstRtsp.RTSPAuthMethod.DIGEST


if __name__ == "__main__":
    main()
