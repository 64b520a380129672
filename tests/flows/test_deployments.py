"""`infra/prefect.yaml` against a real Prefect server and a worker: deployed, run, and nobody's name kept."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from governance import pipeline
from tests.conftest import BUNDLED
from tests.house.programs import ROOT
from tests.phantoms import archive
from tests.phantoms.bundled import load, plant, save
from tests.pipeline.test_leaks import leaks

pytestmark = pytest.mark.timeout(600)
BIN = Path(sys.executable).parent


class Site:
    """A site with a Prefect server and one worker, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "workspace"
        self.home = folder / "prefect"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environ = os.environ | {
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "NO_COLOR": "1",
            "GOVERNANCE_HOME": str(ROOT),
            "GOVERNANCE_WORK_POOL": "local",
            "GOVERNANCE_WORKSPACE": str(self.workspace),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }
        self.log = folder / "printed"

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen([BIN / "prefect", *words], env=self.environ, stdout=log, stderr=log, cwd=ROOT)

    def run(self, *words: str | Path) -> str:
        done = subprocess.run(
            [str(word) for word in words], env=self.environ, capture_output=True, text=True, check=False, cwd=ROOT
        )
        with self.log.open("a") as log:
            log.write(done.stdout + done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def prefect(self, *words: str) -> str:
        return self.run(BIN / "prefect", "--no-prompt", *words)

    def deployment(self, name: str, **parameters: str) -> None:
        pairs = [f"--param={key}={value}" for key, value in parameters.items()]
        self.prefect("deployment", "run", f"{name}/{name}", *pairs, "--watch")

    def wait(self) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/health").close()
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.5)
        pytest.fail("the Prefect server does not answer")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    server = site.start("server", "start", "--host", "127.0.0.1", "--port", str(site.port))
    worker = None
    try:
        site.wait()
        site.prefect("work-pool", "create", "local", "--type", "process")
        worker = site.start("worker", "start", "--pool", "local")
        yield site
    finally:
        for process in (worker, server):
            if process is not None:
                process.terminate()
                process.wait(60)


def test_the_deployments_do_the_whole_job_and_keep_no_name(site: Site, tmp_path: Path) -> None:
    person = archive.PEOPLE[0]
    source = tmp_path / f"{person.family} {person.given}"
    ct = load("CT_small.dcm", "deployed")
    plant(ct, person)
    save(ct, source / "ct.dcm")
    shutil.copyfile(BUNDLED / "MR_small.dcm", source / "mr.dcm")
    pipeline.create(site.workspace, passphrase=None)
    before = (ROOT / "infra" / "prefect.yaml").read_bytes()

    site.prefect("deploy", "--prefect-file", "infra/prefect.yaml", "--all")
    context = pipeline.open_context(site.workspace, passphrase=None)
    run = pipeline.register(context, [source], project="demo", policy_name="research")
    site.deployment("ingest", request=run)
    site.deployment("deidentify", run_id=run)
    site.deployment("publish", project="demo", dataset="d")
    site.deployment("verify", release="d@v1")

    assert pipeline.summarise(context, run).counts == {"published": 2}
    assert pipeline.verify(site.workspace / "published" / "d@v1", public_key=None).release == "d@v1"
    assert leaks(site.home, archive.answer_key()) == []
    assert [marker for marker in archive.answer_key() if marker in site.log.read_text()] == []
    assert (ROOT / "infra" / "prefect.yaml").read_bytes() == before
