//! The hosts that media may be fetched from: BITRIX24_MEDIA_HOSTS as values, and the decisions over
//! URLs and addresses. Asks no name server. Called by `settings`, when a delivery is accepted, and
//! by `media` before every request and for every address.

use std::fmt;
use std::net::IpAddr;

use url::Host;
use url::Url;

use crate::limits;
use crate::outbound::media::address;
use crate::outbound::media::address::Network;

/// The setting, for refusals.
const SETTING: &str = "BITRIX24_MEDIA_HOSTS";
/// Longest host name that DNS knows.
const NAME_BYTES_MAX: usize = 253;

/// The hosts media may be fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Rule);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// Nothing is configured: this origin, trusted wherever its name leads.
    Gateway { host: Host, port: u16 },
    /// What is configured.
    Listed(Vec<Entry>),
}

/// One entry of the list. Without a port it means the usual port of http or https.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Host(Host, Option<u16>),
    Network(Network),
}

/// Why nothing is fetched from a URL: a sentence that names the host at most, because path and query
/// may carry secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Hosts {
    /// The default: the gateway's own origin.
    pub fn gateway(url: &Url) -> Hosts {
        match (host_of(url), url.port_or_known_default()) {
            (Some(host), Some(port)) => Hosts(Rule::Gateway { host, port }),
            // No http URL is like that.
            _ => Hosts(Rule::Listed(Vec::new())),
        }
    }

    /// Reads the setting.
    ///
    /// # Errors
    /// What is wrong with which entry. The entry is not repeated: a URL may be pasted here, and one
    /// may carry a secret.
    pub fn parse(text: &str) -> Result<Hosts, String> {
        let mut entries = Vec::new();
        let texts = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        for (number, text) in (1..).zip(texts) {
            entries.push(entry(text).map_err(|problem| format!("entry {number} {problem}"))?);
        }
        if entries.is_empty() {
            return Err("no host is in it; leave it unset to allow the gateway".to_owned());
        }
        Ok(Hosts(Rule::Listed(entries)))
    }

    /// Whether media may be fetched from this URL, as far as can be told without a name server.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        let refused = |sentence: &str| Err(Refused(sentence.to_owned()));
        let Some(host) = host_of(url).filter(|_| matches!(url.scheme(), "http" | "https")) else {
            return refused("a media URL begins with http:// or https:// and a host");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("a media URL carries no user name and no password");
        }
        if url.as_str().len() > limits::MEDIA_URL_BYTES_MAX {
            return refused("the media URL is too long");
        }
        if matches!(&host, Host::Domain(name) if name.len() > NAME_BYTES_MAX) {
            return refused("the media URL's host name is too long");
        }
        match &self.0 {
            Rule::Gateway { host: gateway, port } => {
                if *gateway == host && url.port_or_known_default() == Some(*port) {
                    return Ok(());
                }
                let place = place(url);
                Err(Refused(format!(
                    "media is fetched from the gateway only ({gateway}:{port}): to allow {place}, \
                     set {SETTING} to a list with {place} in it, and with the gateway if it has \
                     media too"
                )))
            }
            Rule::Listed(entries) if entries.iter().any(|entry| entry.names(&host, url)) => Ok(()),
            Rule::Listed(_) => {
                let place = place(url);
                Err(Refused(format!("{place} is not in {SETTING}: add {place} to it")))
            }
        }
    }

    /// Whether a request for this URL, which [`Hosts::check`] allows, may go to this address, which
    /// is what its host resolved to.
    ///
    /// # Errors
    /// Why not.
    pub fn check_address(&self, url: &Url, address: IpAddr) -> Result<(), Refused> {
        let Rule::Listed(entries) = &self.0 else { return Ok(()) };
        let address = address::canonical(address);
        let literal = host_of(url).and_then(|host| ip_of(&host)) == Some(address);
        let port = url.port_or_known_default();
        if literal || address::is_public(address) || entries.iter().any(|e| e.leads(address, port))
        {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        Err(Refused(format!(
            "{host} is at {address}, which is not a public address: add {address} to {SETTING} if \
             that is meant"
        )))
    }
}

impl Entry {
    /// Whether the entry names the host and port of a URL.
    fn names(&self, host: &Host, url: &Url) -> bool {
        match self {
            Entry::Host(listed, None) => listed == host && url.port().is_none(),
            Entry::Host(listed, port) => listed == host && url.port_or_known_default() == *port,
            Entry::Network(network) => {
                url.port().is_none() && ip_of(host).is_some_and(|ip| network.contains(ip))
            }
        }
    }

    /// Whether the entry lets a listed name lead to an address. The port is then the name's matter,
    /// unless this entry has one.
    fn leads(&self, address: IpAddr, to: Option<u16>) -> bool {
        match self {
            Entry::Host(host, port) => {
                ip_of(host) == Some(address) && (port.is_none() || *port == to)
            }
            Entry::Network(network) => network.contains(address),
        }
    }
}

/// Host and, when it is not the usual one, port: how a list names it.
pub(super) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The host in the one form in which hosts are compared.
fn host_of(url: &Url) -> Option<Host> {
    url.host().map(|host| one_form(host.to_owned()))
}

fn one_form(host: Host) -> Host {
    match host {
        Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
        Host::Ipv6(address) => match address::canonical(IpAddr::V6(address)) {
            IpAddr::V4(address) => Host::Ipv4(address),
            IpAddr::V6(address) => Host::Ipv6(address),
        },
        host => host,
    }
}

fn ip_of(host: &Host) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
    }
}

fn entry(text: &str) -> Result<Entry, &'static str> {
    if text.contains("://") {
        return Err("is a URL; write its host, and its port if that is not the usual one");
    }
    if text.contains('*') {
        return Err("has a * in it; every host is listed by its whole name");
    }
    if text.contains('/') {
        let network = Network::parse(text).map(Entry::Network);
        return network.ok_or(
            "is no network: write its first address and its length, as in 10.0.0.0/8 or fd00::/8",
        );
    }
    if let Ok(address) = text.parse() {
        return Ok(Entry::Host(one_form(Host::Ipv6(address)), None));
    }
    // In brackets are colons of the address; the one of the port comes behind them.
    let end = text.find(']').map_or(0, |at| at + 1);
    let (host, port) = match text[end..].find(':') {
        Some(at) => (&text[..end + at], Some(&text[end + at + 1..])),
        None => (text, None),
    };
    let port = match port {
        Some(digits) => {
            Some(port_of(digits).ok_or("has no port from 1 to 65535 behind its colon")?)
        }
        None => None,
    };
    let host = Host::parse(host).map(one_form).ok().filter(is_host);
    let host = host.ok_or("is neither a host name nor an address")?;
    Ok(Entry::Host(host, port))
}

fn port_of(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

/// Whether a name can be one of DNS; a URL takes more than that.
fn is_host(host: &Host) -> bool {
    let Host::Domain(name) = host else { return true };
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let label = |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(word);
    name.len() <= NAME_BYTES_MAX && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::Hosts;

    fn url(text: &str) -> Url {
        Url::parse(text).expect(text)
    }

    fn listed(text: &str) -> Hosts {
        Hosts::parse(text).expect(text)
    }

    fn allows(hosts: &Hosts, text: &str) -> bool {
        hosts.check(&url(text)).is_ok()
    }

    #[test]
    fn unset_means_the_gateway_and_nothing_else() {
        let hosts = Hosts::gateway(&url("http://gw.corp:8765/v1/inbound/generic"));
        for yes in ["http://gw.corp:8765/f?a=b", "https://GW.corp.:8765/", "http://gw.corp:8765"] {
            assert!(allows(&hosts, yes), "{yes}");
        }
        for no in ["http://gw.corp/", "http://gw.corp:8766/", "http://x.gw.corp:8765/"] {
            assert!(!allows(&hosts, no), "{no}");
        }
        // It is trusted wherever it is.
        let there = url("http://gw.corp:8765/f");
        assert_eq!(hosts.check_address(&there, "10.1.2.3".parse().expect("one")), Ok(()));
        let plain = Hosts::gateway(&url("https://gw.example/"));
        assert!(allows(&plain, "https://gw.example/f") && allows(&plain, "http://gw.example:443/"));
        assert!(!allows(&plain, "http://gw.example/f"));
        let said = hosts.check(&url("https://other.example/secret?token=x")).expect_err("another");
        let said = said.to_string();
        assert!(said.contains("set BITRIX24_MEDIA_HOSTS to a list with other.example"), "{said}");
        assert!(said.contains("(gw.corp:8765)"), "{said}");
        assert!(!said.contains("secret") && !said.contains("token"), "{said}");
    }

    #[test]
    fn a_list_is_hosts_and_ports_and_nothing_else() {
        let hosts = listed(
            " files.corp, store.corp:9000,10.1.2.3 ,10.1.2.4:81,[fd00::1]:82,fd00::2,192.168.0.0/16,\
             b\u{fc}ro.example,,Upper.Example.",
        );
        for yes in [
            "http://files.corp/a",
            "https://files.corp/a?b#c",
            "https://FILES.corp./a",
            "http://files.corp:80/",
            "https://files.corp:443/",
            "http://store.corp:9000/",
            "https://store.corp:9000/",
            "http://10.1.2.3/",
            "http://0x0a.0x1.0x2.0x3/",
            "http://167838211/",
            "http://[::ffff:10.1.2.3]/",
            "http://10.1.2.4:81/",
            "http://[fd00::1]:82/",
            "https://[fd00:0::2]/",
            "http://192.168.7.8/",
            "http://b\u{fc}ro.example/",
            "http://xn--bro-hoa.example/",
            "http://upper.example/",
        ] {
            assert!(allows(&hosts, yes), "{yes}");
        }
        for no in [
            "http://files.corp:8080/",
            "http://files.corp:443/",
            "https://files.corp:80/",
            "http://a.files.corp/",
            "http://files.corp.evil.example/",
            "http://evilfiles.corp/",
            "http://store.corp/",
            "http://store.corp:9001/",
            "http://10.1.2.3:81/",
            "http://10.1.2.4/",
            "http://10.1.2.5/",
            "http://[fd00::1]/",
            "http://192.168.7.8:8080/",
            "http://192.169.7.8/",
            "http://127.0.0.1:8765/",
            "http://localhost/",
            "ftp://files.corp/",
            "file:///etc/passwd",
            "data:text/plain,x",
            "http://user@files.corp/",
            "http://user:pw@files.corp/",
            "http://:pw@files.corp/",
        ] {
            assert!(!allows(&hosts, no), "{no}");
        }
    }

    #[test]
    fn a_refusal_names_the_setting_and_the_host_only() {
        let hosts = listed("files.corp");
        let said = |text: &str| hosts.check(&url(text)).expect_err(text).to_string();
        for (text, place) in [
            ("https://cdn.example/hush/a.png?hush=1#hush", "cdn.example"),
            ("http://cdn.example:8080/hush", "cdn.example:8080"),
            ("http://[::1]:81/hush", "[::1]:81"),
        ] {
            let expected = format!("{place} is not in BITRIX24_MEDIA_HOSTS: add {place} to it");
            assert_eq!(said(text), expected);
        }
        for text in ["http://hush:x@files.corp/", "ftp://hush/"] {
            assert!(!said(text).contains("hush"), "{}", said(text));
        }
        let long = format!("http://{}.example/", "a.".repeat(200));
        assert!(said(&long).contains("host name is too long"));
        let long = format!("http://files.corp/{}", "a".repeat(10_000));
        assert!(said(&long).contains("too long") && said(&long).len() < 100);
    }

    #[test]
    fn a_name_leads_to_public_addresses_and_to_listed_ones() {
        let at = |list: &str, to: &str, address: &str| {
            let hosts = listed(list);
            let to = url(to);
            assert_eq!(hosts.check(&to), Ok(()), "{list} {to}");
            hosts.check_address(&to, address.parse().expect("an address")).is_ok()
        };
        for (list, to, address, expected) in [
            ("files.corp", "http://files.corp/", "8.8.8.8", true),
            ("files.corp", "http://files.corp/", "2a00:1450::1", true),
            ("files.corp", "http://files.corp/", "10.1.2.3", false),
            ("files.corp", "http://files.corp/", "127.0.0.1", false),
            ("files.corp", "http://files.corp/", "::1", false),
            ("files.corp", "http://files.corp/", "169.254.169.254", false),
            ("files.corp", "http://files.corp/", "::ffff:10.1.2.3", false),
            ("files.corp", "http://files.corp/", "64:ff9b::a01:203", false),
            ("localhost", "http://localhost/", "127.0.0.1", false),
            ("localhost,127.0.0.1", "http://localhost/", "127.0.0.1", true),
            ("files.corp,10.1.2.3", "http://files.corp/", "10.1.2.3", true),
            ("files.corp,10.1.2.3", "http://files.corp/", "::ffff:10.1.2.3", true),
            ("files.corp,10.1.2.3", "http://files.corp/", "10.1.2.4", false),
            ("files.corp:9000,10.1.2.3", "http://files.corp:9000/", "10.1.2.3", true),
            ("files.corp,10.1.2.3:9000", "http://files.corp/", "10.1.2.3", false),
            ("files.corp:9000,10.1.2.3:9000", "http://files.corp:9000/", "10.1.2.3", true),
            ("files.corp,10.0.0.0/8", "http://files.corp/", "10.200.2.3", true),
            ("files.corp,10.0.0.0/8", "http://files.corp/", "11.0.0.1", true),
            ("files.corp,10.0.0.0/8", "http://files.corp/", "172.16.0.1", false),
            ("files.corp,10.0.0.0/8", "http://files.corp/", "64:ff9b::a01:203", false),
            ("files.corp,fd00::/8", "http://files.corp/", "fd12::1", true),
            ("files.corp,fd00::/8", "http://files.corp/", "fe80::1", false),
            ("10.1.2.3", "http://10.1.2.3/", "10.1.2.3", true),
            ("10.1.2.3:81", "http://10.1.2.3:81/", "10.1.2.3", true),
            ("10.0.0.0/8", "http://10.1.2.3/", "10.1.2.3", true),
        ] {
            assert_eq!(at(list, to, address), expected, "{list} {to} {address}");
        }
        let hosts = listed("files.corp");
        let there = url("http://files.corp/hush?hush");
        let said = hosts.check_address(&there, "10.1.2.3".parse().expect("one")).expect_err("said");
        assert_eq!(
            said.to_string(),
            "files.corp is at 10.1.2.3, which is not a public address: add 10.1.2.3 to \
             BITRIX24_MEDIA_HOSTS if that is meant"
        );
    }

    #[test]
    fn a_bad_entry_is_told_by_its_number_and_never_repeated() {
        for (entry, word) in [
            ("https://hush.example", "is a URL"),
            ("hush.example/files", "is no network"),
            ("10.1.2.3/8", "is no network"),
            ("10.0.0.0/64", "is no network"),
            ("*.hush.example", "whole name"),
            ("hush.example:", "port from 1"),
            ("hush.example:0", "port from 1"),
            ("hush.example:65536", "port from 1"),
            ("hush.example:http", "port from 1"),
            ("hush.example:+80", "port from 1"),
            ("hush:pw@hush.example", "port from 1"),
            ("hush@hush.example", "neither a host name"),
            ("hush example", "neither a host name"),
            ("hush..example", "neither a host name"),
            (".hush.example", "neither a host name"),
            ("10.0.0.256", "neither a host name"),
            ("[10.0.0.1]", "neither a host name"),
            ("[fd00::1", "port from 1"),
            ("[fd00::1]x", "neither a host name"),
            (":80", "neither a host name"),
            ("hush%2fexample", "neither a host name"),
        ] {
            let said = Hosts::parse(&format!("files.corp,{entry}")).expect_err(entry);
            assert!(said.starts_with("entry 2 ") && said.contains(word), "{entry}: {said}");
            assert!(!said.contains("hush"), "{said}");
        }
        assert!(Hosts::parse(" , ,").expect_err("nothing").contains("no host"));
    }
}
