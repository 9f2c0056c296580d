# docker build -t dcgan-studio .  &&  docker run --rm -p 7860:7860 -v dcgan-runs:/home/studio/runs dcgan-studio
#
# PIP_EXTRA is handed to pip as it is. By default pip takes torch as the system's index has it, which on x86
# Linux brings the GPU libraries along (about 5 GB); README says how to ask for the small CPU wheels.
ARG PYTHON=3.12
FROM python:${PYTHON}-slim-bookworm

# Fashion-MNIST from the system's own package, as on a Space
RUN useradd --create-home --uid 1000 studio
WORKDIR /home/studio
COPY packages.txt .
RUN apt-get update -qq \
    && xargs -a packages.txt apt-get install -qq -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/*

USER studio
ENV PATH=/home/studio/venv/bin:$PATH PYTHONUNBUFFERED=1

COPY --chown=studio requirements.txt .
ARG PIP_EXTRA=""
RUN python -m venv venv && pip install --no-cache-dir -qq ${PIP_EXTRA} -r requirements.txt

COPY --chown=studio . .
RUN python -m compileall -q app.py gan_core studio && mkdir -p runs data .cache
VOLUME ["/home/studio/runs", "/home/studio/data"]

EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/', timeout=4)"]
# as Ctrl-C does; app.py takes SIGTERM likewise
STOPSIGNAL SIGINT
CMD ["python", "app.py", "--host", "0.0.0.0"]
