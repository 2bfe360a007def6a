namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>What is said on a connection on which answers come in the order of the requests.</summary>
internal interface IDialogue
{
    /// <summary>What a connection begins with. Its answer is read with that to the first request.</summary>
    void Open(ByteQueue greeting)
    {
    }

    void Write(long number, ByteQueue request);

    /// <summary>Takes the answer to a request.</summary>
    /// <param name="received">What has arrived of it, and perhaps of further ones.</param>
    /// <param name="number">The request.</param>
    /// <param name="fault">Null when it is the right one, else the outcome.</param>
    /// <returns>Its bytes; 0 when not all of it has arrived.</returns>
    int Read(ReadOnlySpan<byte> received, long number, out string? fault);

    /// <summary>The right answer came within the deadline.</summary>
    void Counted(long number)
    {
    }
}
