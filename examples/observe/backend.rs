//! A service that is well, and then is not.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::sleep;

/// Answers `/ok` at once, `/slow` after a while, `/hang` never, `/flaky` at the second request, and `/down` with 500.
pub(crate) struct Backend {
    address: SocketAddr,
    flaky: AtomicUsize,
}

impl Backend {
    pub(crate) async fn start() -> Result<Arc<Self>, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let backend = Arc::new(Self { address, flaky: AtomicUsize::new(0) });
        let accepting = backend.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let backend = accepting.clone();
                let service = service_fn(move |request| backend.clone().answer(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(backend)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn answer<B>(
        self: Arc<Self>,
        request: Request<B>,
    ) -> Result<Response<String>, Infallible> {
        let mut response = Response::new("42 in stock".to_owned());
        match request.uri().path() {
            "/slow" => sleep(Duration::from_millis(80)).await,
            "/hang" => std::future::pending().await,
            "/flaky" if self.flaky.fetch_add(1, Ordering::Relaxed) == 0 => {
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            "/down" => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
            _ => {}
        }
        Ok(response)
    }
}
