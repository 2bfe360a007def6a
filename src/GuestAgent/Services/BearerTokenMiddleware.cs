using System.Globalization;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using TwinKernel.Fleet.GuestAgent.Twin;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>Lets only callers with the guest's token in: the others get UNAUTHENTICATED before their request is read.</summary>
internal static class BearerTokenMiddleware
{
    public static void UseBearerToken(this IApplicationBuilder application, BearerToken token, ContactWatchdog watchdog) => application.Use((HttpContext http, RequestDelegate next) =>
    {
        if (token.Admits(http.Request.Headers.Authorization))
        {
            watchdog.Heard();
            return next(http);
        }

        http.Response.ContentType = "application/grpc";
        http.Response.Headers["grpc-status"] = ((int)StatusCode.Unauthenticated).ToString(CultureInfo.InvariantCulture);
        http.Response.Headers["grpc-message"] = "The bearer token is missing or wrong.";
        return Task.CompletedTask;
    });
}
