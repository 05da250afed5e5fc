"""Parses the files of deploy/ and checks what they refer to, without starting a container.

    check_deploy.py ROOT
"""

import re
import sys
from pathlib import Path

import yaml

INSTRUCTIONS = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "USER",
                "VOLUME", "WORKDIR"}  # fmt: skip


def containerfile(path, root):
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stages = set()
    instructions = [line.split(maxsplit=1) for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    if not instructions or instructions[0][0] not in ("FROM", "ARG"):
        yield "the first instruction must be FROM"
    for name, *rest in instructions:
        words = rest[0].split() if rest else []
        if name not in INSTRUCTIONS:
            yield f"unknown instruction {name}"
        elif not words:
            yield f"{name} has no argument"
        elif name == "FROM" and len(words) == 3 and words[1].upper() == "AS":
            stages.add(words[2])
        elif name == "COPY":
            flags = [word for word in words if word.startswith("--")]
            stage = next((flag[len("--from="):] for flag in flags if flag.startswith("--from=")), None)
            sources = [word for word in words if not word.startswith("--")][:-1]
            if stage is not None and stage not in stages:
                yield f"COPY from {stage}, which is no stage above it"
            for source in sources if stage is None else []:
                if not (root / source).exists():
                    yield f"COPY {source}: there is no such file"


def compose(path, root):
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    services, volumes = document.get("services", {}), document.get("volumes", {})
    if not services:
        yield "no services"
    for name, service in services.items():
        if "image" not in service and "build" not in service:
            yield f"{name} has neither image nor build"
        build = service.get("build")
        if isinstance(build, dict):
            context = path.parent / build.get("context", ".")
            if not (context / build.get("dockerfile", "Dockerfile")).is_file():
                yield f"{name}: there is no {build.get('dockerfile', 'Dockerfile')} in {context}"
        for other, how in service.get("depends_on", {}).items():
            if other not in services:
                yield f"{name} depends on {other}, which is no service"
            elif how.get("condition") == "service_healthy" and "healthcheck" not in services[other]:
                yield f"{name} waits for {other} to be healthy, which has no health check"
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source[0] in "./":
                if not (path.parent / source).exists():
                    yield f"{name} mounts {source}, which does not exist"
            elif source not in volumes:
                yield f"{name} mounts the volume {source}, which is not declared"


def plain_yaml(path, root):
    list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    return ()


def toml(path, root):
    try:
        import tomllib  # new in Python 3.11
    except ImportError:
        return ()
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        return (str(error),)
    return ()


def checker(path):
    if path.name in ("Containerfile", "Dockerfile"):
        return containerfile
    if path.name.startswith("compose"):
        return compose
    return {".yaml": plain_yaml, ".toml": toml}.get(path.suffix)


def main():
    root = Path(sys.argv[1]).resolve()
    problems, checked = [], 0
    for path in sorted(path for path in (root / "deploy").rglob("*") if path.is_file()):
        check = checker(path)
        if check is None:
            continue
        checked += 1
        try:
            problems += [f"{path.relative_to(root)}: {problem}" for problem in check(path, root)]
        except yaml.YAMLError as error:
            problems.append(f"{path.relative_to(root)}: {error}")
    print("\n".join(problems) or f"{checked} files of deploy/ parse, and what they name exists")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
