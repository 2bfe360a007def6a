using System.Diagnostics.CodeAnalysis;

namespace Grpc.Core;

/// <summary>Says where the method is that binds a service's base class to its methods. The stubs carry it.</summary>
[AttributeUsage(AttributeTargets.Class, Inherited = true)]
public class BindServiceMethodAttribute : Attribute
{
    internal const DynamicallyAccessedMemberTypes BinderMembers = DynamicallyAccessedMemberTypes.PublicMethods | DynamicallyAccessedMemberTypes.NonPublicMethods;

    /// <summary>Names the method: static, with a <see cref="ServiceBinderBase"/> and the base class as parameters.</summary>
    public BindServiceMethodAttribute([DynamicallyAccessedMembers(BinderMembers)] Type bindType, string bindMethodName)
    {
        BindType = bindType;
        BindMethodName = bindMethodName;
    }

    /// <summary>The type that has the method.</summary>
    [DynamicallyAccessedMembers(BinderMembers)]
    public Type BindType { get; }

    /// <summary>The method's name.</summary>
    public string BindMethodName { get; }
}
