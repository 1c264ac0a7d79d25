# SPDX-License-Identifier: GPL-2.0-only
"""A headless Chromium, driven by chromedriver: the W3C WebDriver protocol over HTTP."""
import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
         "--allow-file-access-from-files", "--host-resolver-rules=MAP * ~NOTFOUND"]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"     # W3C WebDriver, section 12
KEYS = {"escape": "\ue00c", "enter": "\ue007", "control": "\ue009", "up": "\ue013",
        "down": "\ue015", "left": "\ue012", "right": "\ue014"}


class Browser:
    """with Browser(spawn) as b: the page's state is asked by scripts, mouse and keys are real.
    spawn starts a process as subprocess.Popen does."""

    def __init__(self, spawn=subprocess.Popen, width=1280, height=800, dark=False):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        self.driver = spawn([shutil.which("chromedriver"), f"--port={self.port}", "--silent"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
        self.session = None
        try:
            self._start(width, height, dark)
        except BaseException:
            self.__exit__()
            raise

    def _start(self, width, height, dark):
        end = time.monotonic() + 20
        while True:
            try:
                if self._call("GET", "/status")["ready"]:
                    break
            except (urllib.error.URLError, ConnectionError):
                pass
            if time.monotonic() > end:
                raise TimeoutError("chromedriver does not answer")
            time.sleep(0.05)
        args = [*FLAGS, f"--user-data-dir={self.profile}", f"--window-size={width},{height}"]
        args += ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []
        options = {"args": args, "binary": shutil.which("chromium")}
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = f"/session/{answer['sessionId']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            if self.session:
                self._call("DELETE", self.session)
        except (OSError, RuntimeError):
            pass
        self.driver.terminate()
        self.driver.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _call(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise RuntimeError(json.load(e)["value"]["message"]) from e

    def command(self, name, body=None):
        return self._call("GET" if body is None else "POST", f"{self.session}/{name}", body)

    def open(self, path):
        self.command("url", {"url": "file://" + path})

    def run(self, script, *args):
        """What the body of a function returns; arguments[0] and so on are args."""
        return self.command("execute/sync", {"script": script, "args": list(args)})

    def wait(self, script, *args, seconds=20):
        """Until run() gives something true, which it returns."""
        end = time.monotonic() + seconds
        while not (value := self.run(script, *args)):
            if time.monotonic() > end:
                raise TimeoutError(script)
            time.sleep(0.05)
        return value

    def console(self):
        """What was said there since the last call, but for the missing icon."""
        return [line["message"] for line in self.command("se/log", {"type": "browser"})
                if "favicon" not in line["message"]]

    def _mouse(self, element, *actions):
        self.command("actions", {"actions": [{
            "type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [
                {"type": "pointerMove", "duration": 0, "origin": element, "x": 0, "y": 0},
                *actions]}]})

    def hover(self, element):
        """element: as run() returns one. To its middle."""
        self._mouse(element)

    def click(self, element):
        self._mouse(element, {"type": "pointerDown", "button": 0},
                    {"type": "pointerUp", "button": 0})

    def keys(self, *keys):
        """Names of KEYS or text; "control+f": held together."""
        steps = []
        for key in keys:
            held = key.split("+") if "+" in key and len(key) > 1 else [key]
            codes = [KEYS.get(k, k) for k in held]
            codes = codes if len(codes) > 1 or held[0] in KEYS else list(codes[0])
            if len(held) > 1:
                steps += [{"type": "keyDown", "value": c} for c in codes]
                steps += [{"type": "keyUp", "value": c} for c in reversed(codes)]
            else:
                for c in codes:
                    steps += [{"type": "keyDown", "value": c}, {"type": "keyUp", "value": c}]
        self.command("actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})

    def screenshot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.command("screenshot")))
