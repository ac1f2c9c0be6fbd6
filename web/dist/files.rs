// Made by web/embed.mjs.
&[
    File { path: "/api/index.html", content_type: "text/html; charset=utf-8", etag: "\"bd5d3aece747b592\"", gzip: include_bytes!("api/index.html.gz") },
    File { path: "/assets/api-B83IvK4P.js", content_type: "text/javascript; charset=utf-8", etag: "\"0b8d481c6d42e7e5\"", gzip: include_bytes!("assets/api-B83IvK4P.js.gz") },
    File { path: "/assets/index-BNVzHri_.js", content_type: "text/javascript; charset=utf-8", etag: "\"1803708d88825e2f\"", gzip: include_bytes!("assets/index-BNVzHri_.js.gz") },
    File { path: "/assets/index-DGi5alQy.css", content_type: "text/css; charset=utf-8", etag: "\"52a9cf8f84d8a645\"", gzip: include_bytes!("assets/index-DGi5alQy.css.gz") },
    File { path: "/assets/jsxRuntime-BYcp9D4E.js", content_type: "text/javascript; charset=utf-8", etag: "\"e569b29dfddfd1c9\"", gzip: include_bytes!("assets/jsxRuntime-BYcp9D4E.js.gz") },
    File { path: "/assets/layout.worker-pfoE2PWn.js", content_type: "text/javascript; charset=utf-8", etag: "\"10fcf7bbe4cfc86c\"", gzip: include_bytes!("assets/layout.worker-pfoE2PWn.js.gz") },
    File { path: "/assets/mark-0ti_ZK3K.svg", content_type: "image/svg+xml", etag: "\"cbdfbff75e6fe111\"", gzip: include_bytes!("assets/mark-0ti_ZK3K.svg.gz") },
    File { path: "/assets/preferences-DKepHG86.js", content_type: "text/javascript; charset=utf-8", etag: "\"0792adfe21cbf26b\"", gzip: include_bytes!("assets/preferences-DKepHG86.js.gz") },
    File { path: "/assets/theme-C3i9-a1C.css", content_type: "text/css; charset=utf-8", etag: "\"ff4d43448885406d\"", gzip: include_bytes!("assets/theme-C3i9-a1C.css.gz") },
    File { path: "/assets/theme-C4Vn7N4P.js", content_type: "text/javascript; charset=utf-8", etag: "\"da9d0933bb729c9a\"", gzip: include_bytes!("assets/theme-C4Vn7N4P.js.gz") },
    File { path: "/cli/index.html", content_type: "text/html; charset=utf-8", etag: "\"88c546e96dddddbe\"", gzip: include_bytes!("cli/index.html.gz") },
    File { path: "/cli/rabbitmqadmin", content_type: "application/x-sh", etag: "\"6dc2fa77990d5a12\"", gzip: include_bytes!("cli/rabbitmqadmin.gz") },
    File { path: "/index.html", content_type: "text/html; charset=utf-8", etag: "\"de8c2916feea86e3\"", gzip: include_bytes!("index.html.gz") },
]
