//! A browser that walks the consent as a person does: opens the link, presses the button, is sent to
//! the portal, grants, comes back, confirms. No JavaScript, no cookies but the portal's.

use std::time::Duration;

use super::Result;
use crate::sim::client;
use crate::sim::client::Response;

/// How long a page may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A plain GET.
pub(super) fn get(url: &str) -> Result<Response> {
    client::request("GET", url, &[], &[], TIMEOUT).map_err(|why| format!("GET: {why}"))
}

/// From the consent page to the address the portal sends the browser of `user` to.
pub(super) fn callback_url(link: &str, user: u64) -> Result<String> {
    let page = get(link)?;
    if page.status != 200 {
        return Err(format!("the consent page answers {}: {}", page.status, page.text()));
    }
    let started = client::request("POST", &format!("{link}/start"), &[], &[], TIMEOUT)
        .map_err(|why| format!("start: {why}"))?;
    let authorize = location(&started, "the consent page to the portal")?;
    let cookie = format!("sim_user={user}");
    let granted = client::request("GET", &authorize, &[("Cookie", &cookie)], &[], TIMEOUT)
        .map_err(|why| format!("authorize: {why}"))?;
    location(&granted, "the portal back")
}

/// Presses the button of the page that says who was connected.
pub(super) fn confirm(origin: &str, page: &Response) -> Result<Response> {
    let text = page.text();
    let value = text.split("name=\"confirmation\" value=\"").nth(1);
    let value = value.and_then(|rest| rest.split('"').next());
    let value = value.ok_or_else(|| format!("no button to confirm with: {text}"))?;
    let body = format!("confirmation={value}");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let url = format!("{origin}/oauth/confirm");
    client::request("POST", &url, &form, body.as_bytes(), TIMEOUT)
        .map_err(|why| format!("confirm: {why}"))
}

fn location(response: &Response, whence: &str) -> Result<String> {
    let location = response.header("location").map(str::to_owned);
    location.ok_or_else(|| {
        format!("no redirect from {whence} but {}: {}", response.status, response.text())
    })
}
