namespace TwinKernel.Fleet.Coordinator.Requests;

/// <summary>Who asks. There is no log-in: it is what the caller says, for the audit and for four eyes among people who trust each other.</summary>
internal static class ActorName
{
    public static void Check(string actor, List<(string, string)> violations)
    {
        if (actor.Length is 0 or > 128 || actor.Any(char.IsControl))
        {
            violations.Add(("actor", "must say who asks: 1 to 128 characters."));
        }
    }
}
