# The services, one target each: migrate, coordinator, host-agent. Built from the tree's top directory:
#   docker build --target coordinator -f eng/docker/services.Dockerfile .
ARG DOTNET=10.0

FROM mcr.microsoft.com/dotnet/sdk:${DOTNET} AS build
WORKDIR /source
COPY . .
RUN dotnet publish src/Coordinator/Coordinator.csproj -c Release -o /out/coordinator \
 && dotnet publish src/HostAgent/HostAgent.csproj -c Release -o /out/host-agent \
 && dotnet publish migrations/Migrations.csproj -c Release -o /out/migrate

FROM mcr.microsoft.com/dotnet/aspnet:${DOTNET} AS migrate
COPY --from=build /out/migrate /app
USER $APP_UID
ENTRYPOINT ["dotnet", "/app/TwinKernel.Fleet.Migrations.dll"]

FROM mcr.microsoft.com/dotnet/aspnet:${DOTNET} AS coordinator
COPY --from=build /out/coordinator /app
USER $APP_UID
ENTRYPOINT ["dotnet", "/app/TwinKernel.Fleet.Coordinator.dll"]

FROM mcr.microsoft.com/dotnet/aspnet:${DOTNET} AS host-agent
RUN apt-get update \
 && apt-get install -y --no-install-recommends qemu-system-x86 \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o $APP_UID -g $APP_UID -m 0700 /state
COPY --from=build /out/host-agent /app
USER $APP_UID
VOLUME /state
ENTRYPOINT ["dotnet", "/app/TwinKernel.Fleet.HostAgent.dll"]
