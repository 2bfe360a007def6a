namespace TwinKernel.Fleet.Probe;

/// <summary>A run that cannot begin.</summary>
public sealed class ProbeException(string message) : Exception(message);
