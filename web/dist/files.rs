// Made by web/embed.mjs.
&[
    File { path: "/assets/index-DATV40ng.css", content_type: "text/css; charset=utf-8", etag: "\"ad3d577d4ad0802a\"", gzip: include_bytes!("assets/index-DATV40ng.css.gz") },
    File { path: "/assets/index-RTCicQfO.js", content_type: "text/javascript; charset=utf-8", etag: "\"4ae8505b29de33e0\"", gzip: include_bytes!("assets/index-RTCicQfO.js.gz") },
    File { path: "/assets/layout.worker-pfoE2PWn.js", content_type: "text/javascript; charset=utf-8", etag: "\"10fcf7bbe4cfc86c\"", gzip: include_bytes!("assets/layout.worker-pfoE2PWn.js.gz") },
    File { path: "/assets/mark-0ti_ZK3K.svg", content_type: "image/svg+xml", etag: "\"cbdfbff75e6fe111\"", gzip: include_bytes!("assets/mark-0ti_ZK3K.svg.gz") },
    File { path: "/index.html", content_type: "text/html; charset=utf-8", etag: "\"217af0ad925fd3f2\"", gzip: include_bytes!("index.html.gz") },
]
