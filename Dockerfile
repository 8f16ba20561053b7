# syntax=docker/dockerfile:1

# portolan as an image: Node and dist/. `docker build -t portolan .`
FROM node:26-bookworm-slim AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libcap2-bin
WORKDIR /src
COPY package.json package-lock.json ./
# The scripts fetch programs that this image has, or that only development needs.
RUN npm ci --ignore-scripts --no-fund --no-audit
COPY . .
RUN npm run build
# How a process that is not root gets to listen on port 53. Kubernetes gives the capabilities of a container to its first process
# as permitted, not as ambient ones; without more they are gone when a user other than root executes a program. The program's file
# must have them too. `allowPrivilegeEscalation: false` (no_new_privs) does not stand in the way, as nothing is gained that the
# process was not given. In turn the file cannot be executed without them: a securityContext that drops ALL must add
# NET_BIND_SERVICE. CoreDNS's image does the same, so its manifests fit. Node knows the case and still heeds its environment.
RUN cp /usr/local/bin/node /node && setcap cap_net_bind_service=+ep /node

FROM debian:bookworm-slim
# What Node is linked to.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libatomic1 libstdc++6 \
    && rm -rf /var/lib/apt/lists/*
LABEL org.opencontainers.image.title="portolan" \
      org.opencontainers.image.description="Names a Kubernetes cluster's services: a DNS server configured by a Corefile" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /node /usr/local/bin/node
COPY --from=build /src/LICENSE /src/dist /portolan/
# As a number, which `runAsNonRoot` needs. The root file system may be read-only: nothing is ever written.
USER 65532:65532
WORKDIR /
EXPOSE 53/udp 53/tcp 8080/tcp 8181/tcp 9153/tcp
ENTRYPOINT ["node", "/portolan/portolan.js"]
