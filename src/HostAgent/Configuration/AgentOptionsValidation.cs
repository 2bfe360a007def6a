using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Images;

namespace TwinKernel.Fleet.HostAgent.Configuration;

/// <summary>Refuses a wrong configuration at start, with every error at once.</summary>
internal sealed partial class AgentOptionsValidation : IValidateOptions<AgentOptions>
{
    public ValidateOptionsResult Validate(string? name, AgentOptions options)
    {
        List<string> errors = [];
        void Check(bool good, FormattableString message)
        {
            if (!good)
            {
                errors.Add(message.ToString(CultureInfo.InvariantCulture));
            }
        }

        Check(NamePattern.IsMatch(options.Name), $"Host:Name is '{options.Name}'; it must be 1 to 63 lower-case letters, digits, dots and hyphens, beginning and ending with a letter or digit.");
        Check(options.StateDirectory.Length > 0, $"Host:StateDirectory is missing; name a directory of this agent's own.");
        Check(options.ImageDirectory.Length > 0, $"Host:ImageDirectory is missing; name the directory that holds the images.");
        _ = ImageKeys.Read(options.ImageKeys, errors);
        Check(options.GateDirectory.Length == 0 || Path.IsPathFullyQualified(options.GateDirectory), $"Host:GateDirectory is '{options.GateDirectory}'; it must be an absolute path, or be left out.");
        Check(options.Accelerator is "auto" or "kvm" or "tcg", $"Host:Accelerator is '{options.Accelerator}'; it must be auto, kvm or tcg.");
        Check(options.Qemu.Length > 0, $"Host:Qemu is empty; leave it out for qemu-system-x86_64.");
        Range("HeartbeatInterval", options.HeartbeatInterval, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5));
        Range("AcceleratorProbeDeadline", options.AcceleratorProbeDeadline, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(2));
        Range("ProbeInterval", options.ProbeInterval, TimeSpan.FromMicroseconds(100), TimeSpan.FromSeconds(1));
        Range("ProbationSettling", options.ProbationSettling, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10));
        Check(options.ProbationMaxGap > options.ProbeInterval, $"Host:ProbationMaxGap ({options.ProbationMaxGap}) must exceed Host:ProbeInterval ({options.ProbeInterval}).");
        Check(options.ProbationMaxGap < options.ProbationSettling, $"Host:ProbationMaxGap ({options.ProbationMaxGap}) must be shorter than Host:ProbationSettling ({options.ProbationSettling}).");
        if (options.CutOverPatience != TimeSpan.Zero)
        {
            Range("CutOverPatience", options.CutOverPatience, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(60));
        }

        errors.AddRange(LabelForm.Errors(options.Labels.AsReadOnly()).Select(error => $"Host:Labels: {error}"));
        for (int i = 0; i < options.Guests.Count; i++)
        {
            GuestOptions guest = options.Guests[i];
            Check(NamePattern.IsMatch(guest.Name), $"Host:Guests:{i}:Name is '{guest.Name}'; it must be 1 to 63 lower-case letters, digits, dots and hyphens, beginning and ending with a letter or digit.");
            Check(guest.Image.Length > 0, $"Host:Guests:{i}:Image is missing; give the name or the digest of an image.");
            Check(guest.Cpus is >= 1 and <= 64, $"Host:Guests:{i}:Cpus is {guest.Cpus}; it must be 1 to 64.");
            Check(guest.MemoryMiB is >= 256 and <= 1_048_576, $"Host:Guests:{i}:MemoryMiB is {guest.MemoryMiB}; it must be 256 to 1048576.");
            Check(guest.StandbyPort is >= 0 and <= 65535, $"Host:Guests:{i}:StandbyPort is {guest.StandbyPort}; it must be 1 to 65535, or 0 for none.");
            foreach (string forward in guest.Forwards)
            {
                Check(forward.Split(':') is [var from, var to] && IsPort(from) && IsPort(to), $"Host:Guests:{i}:Forwards has '{forward}'; it must be HOSTPORT:GUESTPORT, 1 to 65535 each.");
            }
            errors.AddRange(LabelForm.Errors(guest.Labels.AsReadOnly()).Select(error => $"Host:Guests:{i}:Labels: {error}"));
        }

        foreach (IGrouping<string, GuestOptions> same in options.Guests.GroupBy(g => g.Name).Where(g => g.Count() > 1))
        {
            errors.Add($"Host:Guests has {same.Count()} guests named '{same.Key}'; names must be unique.");
        }

        foreach (IGrouping<int, GuestOptions> same in options.Guests.Where(g => g.StandbyPort != 0).GroupBy(g => g.StandbyPort).Where(g => g.Count() > 1))
        {
            errors.Add(string.Create(CultureInfo.InvariantCulture, $"Host:Guests has {same.Count()} guests with StandbyPort {same.Key}; each needs its own."));
        }

        foreach (IGrouping<string, string> same in options.Guests.SelectMany(g => g.Forwards).GroupBy(forward => forward.Split(':')[0]).Where(g => g.Count() > 1))
        {
            errors.Add($"Host:Guests:*:Forwards has port {same.Key} of the host {same.Count()} times; it can lead to one guest.");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void Range(string key, TimeSpan value, TimeSpan least, TimeSpan most) =>
            Check(value >= least && value <= most, $"Host:{key} ({value}) must be between {least} and {most}.");
    }

    private static bool IsPort(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and < 65536;

    [GeneratedRegex("^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]
    private static partial Regex NamePattern { get; }
}

/// <summary>Refuses a broker address that cannot be one, without repeating it: it holds a password.</summary>
internal sealed class BrokerOptionsValidation : IValidateOptions<BrokerOptions>
{
    public ValidateOptionsResult Validate(string? name, BrokerOptions options)
    {
        if (options.Uri.Length == 0)
        {
            return ValidateOptionsResult.Fail("Broker:Uri is missing; give amqp://user:password@host:port/ in the environment variable Broker__Uri.");
        }

        bool good = Uri.TryCreate(options.Uri, UriKind.Absolute, out Uri? uri)
            && uri.Scheme is "amqp" or "amqps" && uri.Host.Length > 0 && uri.UserInfo.Contains(':', StringComparison.Ordinal);
        return good
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail("Broker:Uri is not of the form amqp://user:password@host:port/ (its value is not shown: it may hold a password).");
    }
}
