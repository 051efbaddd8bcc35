import { createRoot } from 'react-dom/client'

import '../shared/base.css'
import '../shared/theme.js'
import { Frame } from './frame.js'
import './frame.css'

createRoot(document.getElementById('root')!).render(<Frame />)
