//! Which format a client would rather have.

use http::HeaderMap;
use http::header::ACCEPT;

use super::Format;

/// The format of the type with the highest weight among those that name one of ours; of equals the first. JSON if
/// none does: who wants the text says so.
pub(super) fn preferred(headers: &HeaderMap) -> Format {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut best = (0, Format::Json);
    for (kind, weight) in values.flat_map(|value| value.split(',')).filter_map(range) {
        if weight > best.0 {
            best = (weight, kind);
        }
    }
    best.1
}

/// A format and its weight in thousandths.
fn range(range: &str) -> Option<(Format, u32)> {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next()?.to_ascii_lowercase();
    let format = match &*kind {
        "application/json" => Format::Json,
        "text/plain" | "application/openmetrics-text" => Format::Prometheus,
        _ if kind.starts_with("application/") && kind.ends_with("+json") => Format::Json,
        _ => return None,
    };
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let weight = weight.map_or(Some(1.0), |weight| weight.trim().parse::<f32>().ok())?;
    Some((format, (weight.clamp(0.0, 1.0) * 1000.0) as u32))
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, HeaderMap, HeaderValue};

    use super::{Format, preferred};

    fn of(accept: &'static str) -> Format {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        preferred(&headers)
    }

    #[test]
    fn a_scraper_gets_text_and_others_json() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!(of(prometheus), Format::Prometheus);
        assert_eq!(of(browser), Format::Json);
        assert_eq!(of("*/*"), Format::Json);
        assert_eq!(preferred(&HeaderMap::new()), Format::Json);
    }

    #[test]
    fn the_weight_decides_and_then_the_order() {
        assert_eq!(of("text/plain;q=0.3, application/json;q=0.4"), Format::Json);
        assert_eq!(of("application/json;q=0.2, text/plain"), Format::Prometheus);
        assert_eq!(of("application/json, text/plain"), Format::Json);
        assert_eq!(of("TEXT/PLAIN; Q=1, application/json"), Format::Prometheus);
        assert_eq!(of("text/plain;q=0"), Format::Json);
        assert_eq!(of("text/plain;q=nonsense, application/problem+json;q=0.1"), Format::Json);
        assert_eq!(of("text/plain;q=NaN"), Format::Json);
    }
}
