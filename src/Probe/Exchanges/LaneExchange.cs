namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>Kept connections, over which the requests take turns.</summary>
internal sealed class LaneExchange(IReadOnlyList<Lane> lanes) : IExchange
{
    public long Remade => lanes.Sum(lane => lane.Remade);

    public void Send(long number) => Of(number).Send(number);

    public void Flush(long now)
    {
        foreach (Lane lane in lanes)
        {
            lane.Flush(now);
        }
    }

    public void Watch(PollSet descriptors)
    {
        for (int index = 0; index < lanes.Count; index++)
        {
            lanes[index].Watch(descriptors, index);
        }
    }

    public void Ready(int token) => lanes[token].Ready();

    public void Expired(long number) => Of(number).Expired(number);

    public void Dispose()
    {
        foreach (Lane lane in lanes)
        {
            lane.Dispose();
        }
    }

    private Lane Of(long number) => lanes[(int)((number < 0 ? ~number : number) % lanes.Count)];
}
