"""Numbers as people read them, for the command line and the page."""


def si(number: float) -> str:
    """1234567 as "1.23M": three digits are what a glance takes in."""
    for unit in ("", "k", "M", "G", "T"):
        if abs(number) < 1000:
            text = f"{number:.0f}" if unit == "" or number >= 100 else f"{number:.3g}"
            return f"{text}{unit}"
        number /= 1000
    return f"{number:.3g}P"


def span(seconds: int) -> str:
    """Seconds for people: "45s", "4m10s", "2h04m", "3d02h"."""
    minutes, s = divmod(seconds, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days}d{h:02d}h"
    if hours:
        return f"{hours}h{m:02d}m"
    return f"{minutes}m{s:02d}s" if minutes else f"{s}s"
