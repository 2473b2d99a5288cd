//! HTTP/2's error codes.

/// An error code of HTTP/2, as `RST_STREAM` and GOAWAY carry it ([RFC 9113, section 7][rfc]).
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc9113#section-7
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Http2Code(u32);

macro_rules! codes {
    ($($name:ident = $code:literal;)*) => {
        impl Http2Code {
            $(
                #[doc = concat!("`", stringify!($name), "`, ", stringify!($code), ".")]
                pub const $name: Self = Self($code);
            )*
        }
    };
}

codes! {
    NO_ERROR = 0x0;
    PROTOCOL_ERROR = 0x1;
    INTERNAL_ERROR = 0x2;
    FLOW_CONTROL_ERROR = 0x3;
    SETTINGS_TIMEOUT = 0x4;
    STREAM_CLOSED = 0x5;
    FRAME_SIZE_ERROR = 0x6;
    REFUSED_STREAM = 0x7;
    CANCEL = 0x8;
    COMPRESSION_ERROR = 0x9;
    CONNECT_ERROR = 0xa;
    ENHANCE_YOUR_CALM = 0xb;
    INADEQUATE_SECURITY = 0xc;
    HTTP_1_1_REQUIRED = 0xd;
}

impl From<u32> for Http2Code {
    fn from(code: u32) -> Self {
        Self(code)
    }
}

impl From<Http2Code> for u32 {
    fn from(code: Http2Code) -> Self {
        code.0
    }
}
