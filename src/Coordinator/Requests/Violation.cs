namespace TwinKernel.Fleet.Coordinator.Requests;

/// <summary>One thing that is wrong with a request.</summary>
/// <param name="Field">Where: a path in the request, such as <c>waves[2].percent</c>.</param>
/// <param name="Message">What, and what would be right: one sentence.</param>
public sealed record Violation(string Field, string Message);
