using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Grpc.AspNetCore.Server.Calls;

/// <summary>How a service's methods are found, and its instances made.</summary>
internal static class ServiceActivation
{
    public const DynamicallyAccessedMemberTypes ServiceMembers = DynamicallyAccessedMemberTypes.PublicConstructors | DynamicallyAccessedMemberTypes.PublicMethods | DynamicallyAccessedMemberTypes.NonPublicMethods;

    /// <summary>The stub's <c>BindService(ServiceBinderBase, TBase)</c>, where TService derives from TBase.</summary>
    public static Action<ServiceBinderBase, TService?> FindBindService<[DynamicallyAccessedMembers(ServiceMembers)] TService>()
        where TService : class
    {
        for (var type = typeof(TService); type is not null; type = type.BaseType)
        {
            if (type.GetCustomAttribute<BindServiceMethodAttribute>(inherit: false) is { } attribute)
            {
                var method = attribute.BindType.GetMethod(attribute.BindMethodName, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static, null, [typeof(ServiceBinderBase), type], [])
                    ?? throw new InvalidOperationException($"{attribute.BindType} has no static method {attribute.BindMethodName}(ServiceBinderBase, {type.Name}).");
                return method.CreateDelegate<Action<ServiceBinderBase, TService?>>();
            }
        }

        throw new InvalidOperationException($"Cannot locate the BindService method for {typeof(TService)}. It must derive from the base class of a generated service.");
    }

    /// <summary>Runs a call on an instance of its own, or the registered one.</summary>
    public static async Task UseAsync<[DynamicallyAccessedMembers(ServiceMembers)] TService>(IServiceProvider services, Func<TService, Task> call)
        where TService : class
    {
        if (services.GetService<TService>() is { } registered)
        {
            await call(registered).ConfigureAwait(false);
            return;
        }

        var created = ActivatorUtilities.CreateInstance<TService>(services);
        try
        {
            await call(created).ConfigureAwait(false);
        }
        finally
        {
            switch (created)
            {
                case IAsyncDisposable disposable:
                    await disposable.DisposeAsync().ConfigureAwait(false);
                    break;
                case IDisposable disposable:
                    disposable.Dispose();
                    break;
            }
        }
    }
}
