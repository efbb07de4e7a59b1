# Event lines for the checks, always the same ones. Variables: kind (accepted or rejected), count, token.
# An accepted line has 230 bytes, without LF, when the token has 40. Rejected lines take turns through the ways of being wrong.

function hex(n, width) { return sprintf("%0" width "x", n) }
BEGIN {
    split("navigation,page interaction,form,media,commerce", category, ",")
    split("cta click,pageview,form submit,scroll,search,play,pause,add to cart,checkout,sign up", name, ",")
    seed = 1
    for (i = 0; i < count; i++) {
        seed = (seed * 1103515 + 12345) % 2147483648
        session = hex(seed % 10000, 8) "-0000-4000-8000-" hex(seed % 10000, 12)
        time = sprintf("2024-03-%02dT%02d:%02d:%02d.%06dZ", 1 + i % 28, i % 24, i % 60, seed % 60, seed % 1000000)
        head = "{\"session_id\":\"" session "\",\"category\":\"" category[1 + seed % 5] "\",\"name\":\"" name[1 + seed % 10] "\","
        tail = "},\"timestamp\":\"" time "\"}"
        data = "\"path\":\"/p/" seed % 1000 "\",\"element\":\""
        pad = 230 - 41 - length(head) - length("\"data\":{") - length(data) - 1 - length(tail)
        data = "\"data\":{" data substr("chat bubble next to the footer of the page", 1, pad) "\""
        if (kind == "accepted") { print token " " head data tail; continue }
        way = i % 10
        if (way == 0) print "0000000000000000000000000000000000000000 " head data tail
        else if (way == 1) print token " " head data tail "}"
        else if (way == 2) print token " {\"session_id\":\"" session "\"," substr(data, 1) tail
        else if (way == 3) print token " {\"colour\":1," substr(head, 2) data tail
        else if (way == 4) print token " {\"session_id\":\"abc\",\"category\":\"c\",\"name\":\"n\"," data tail
        else if (way == 5) print token " " head data "},\"timestamp\":\"yesterday\"}"
        else if (way == 6) print token " " head data "},\"timestamp\":\"2999-01-01T00:00:00Z\"}"
        else if (way == 7) print token " " head "\"data\":{" tail
        else if (way == 8) print token " [1]"
        else print token " {\"session_id\":\"" session "\",\"category\":\"" sprintf("%051d", 0) "\",\"name\":\"n\"," data tail
    }
}
